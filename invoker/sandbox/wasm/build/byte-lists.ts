// jco 1.35 passes a list<u8> byte by byte where a call is asynchronous, through a closure and two allocations for each:
// 0.3 s for a body of 1 MiB. Patched, bytes are copied as they lie.
import { replaceOnce } from './replace-once.ts'

const LIFT = `ctx.storagePtr = dataPtr;
      const val = [];
      for (var i = 0; i < len; i++) {`
const LIFTED = `ctx.storagePtr = dataPtr;
      if (typedArray === Uint8Array) {
        const bytes = new Uint8Array(ctx.memory.buffer, dataPtr, len).slice();
        if (originalPtr !== null) { ctx.storagePtr = originalPtr; }
        if (originalLen !== null) { ctx.storageLen = originalLen; }
        return [bytes, ctx];
      }
      const val = [];
      for (var i = 0; i < len; i++) {`

const LOWER = `ctx.storagePtr = dataPtr;
      
      for (const [idx, elem] of elems.entries()) {`
const LOWERED = `ctx.storagePtr = dataPtr;
      
      if (elemLowerFn === _lowerFlatU8 && elems instanceof Uint8Array) {
        new Uint8Array(ctx.memory.buffer, dataPtr, elems.length).set(elems);
      } else for (const [idx, elem] of elems.entries()) {`

/**
 * Glue without asynchronous lists stays as it is.
 * @throws Error when jco generates other loops than those this was written for
 */
export function patchByteLists(glue: string): string {
  const lift = { what: 'the list lifting of jco', search: LIFT, replacement: LIFTED }
  const lower = { what: 'the list lowering of jco', search: LOWER, replacement: LOWERED }
  const lifted = glue.includes('function _liftFlatList(') ? replaceOnce(glue, lift) : glue
  const lowers = glue.includes('function _lowerFlatList(') && glue.includes('function _lowerFlatU8(')
  return lowers ? replaceOnce(lifted, lower) : lifted
}
