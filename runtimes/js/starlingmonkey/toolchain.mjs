// Copied beside the installed packages, and the only module that the builder loads from there.
export { componentize } from '@bytecodealliance/componentize-js'
export { default as wizerPath } from '@bytecodealliance/wizer'
