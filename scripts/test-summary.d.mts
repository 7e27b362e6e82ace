// Types of test-summary.mjs, for the tests.
export interface TestReport {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}
export interface Summary {
  readonly finished: boolean
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly string[]
  /** What a contract suite says a driver is not made for, with the reason. */
  readonly notApplicable: readonly string[]
  readonly lines: readonly string[]
}
export declare function summarize(report: TestReport | undefined, toPath: (name: string) => string): Summary
export declare function failuresOf(summary: Summary, options: { requireAll: boolean }): readonly string[]
