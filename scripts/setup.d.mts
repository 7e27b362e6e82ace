// Types of setup.mjs, for the tests.
export declare const ROOT_DIR: string
export declare const NODE_PATH: string
export declare function missing(rootDir: string, options: { dev: boolean }): string | undefined
export declare function setup(options: { dev: boolean }): Promise<boolean>
