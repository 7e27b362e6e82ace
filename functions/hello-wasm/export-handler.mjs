// AssemblyScript exports identifiers only; the component model wants the name of the interface.
import { Transform } from 'assemblyscript/transform'

export default class ExportHandler extends Transform {
  afterCompile(module) {
    const { value } = this.binaryen.getExportInfo(module.getExport('handle'))
    module.removeExport('handle')
    module.addFunctionExport(value, 'wasi:http/incoming-handler@0.2.0#handle')
  }
}
