import { describe, expect, it } from 'vitest'

import { failuresOf, summarize, type TestReport } from '../../scripts/test-summary.mjs'

function report(files: Record<string, Record<string, string>>, status = 'passed'): TestReport {
  return {
    testResults: Object.entries(files).map(([name, tests]) => ({
      name,
      status,
      assertionResults: Object.entries(tests).map(([fullName, state]) => ({ fullName, status: state })),
    })),
  }
}

const path = (name: string): string => name

describe('summarize()', () => {
  it('counts tests and names those that were skipped', () => {
    const summary = summarize(report({ 'test/a.test.ts': { one: 'passed', two: 'failed', three: 'skipped' } }), path)
    expect(summary).toMatchObject({ passed: 1, failed: 1, skipped: ['test/a.test.ts: three'] })
  })

  it('says how many container and Wasm tests ran', () => {
    const { lines } = summarize(
      report({
        'test/contract/docker.test.ts': { hello: 'passed', echo: 'failed' },
        'test/contract/wasm.test.ts': { hello: 'passed' },
      }),
      path,
    )
    expect(lines).toContain('container tests: 1 passed')
    expect(lines).toContain('Wasm tests: 1 passed')
    expect(lines).toContain('contract tests: 2 passed')
  })

  it('tells what a driver is not made for from what was skipped', () => {
    const files = { 'test/contract/wasm.test.ts': { 'echo (not here: too large)': 'skipped', other: 'skipped' } }
    expect(summarize(report(files), path)).toMatchObject({
      notApplicable: ['test/contract/wasm.test.ts: echo (not here: too large)'],
      skipped: ['test/contract/wasm.test.ts: other'],
    })
  })

  it('counts a file that does not load as a failure', () => {
    expect(summarize(report({ 'test/broken.test.ts': {} }, 'failed'), path)).toMatchObject({ passed: 0, failed: 1 })
  })
})

describe('failuresOf()', () => {
  const skipped = summarize(report({ 'test/a.test.ts': { one: 'passed', two: 'skipped' } }), path)

  it('takes a skipped test for a failure only when everything is required', () => {
    expect(failuresOf(skipped, { requireAll: false })).toEqual([])
    expect(failuresOf(skipped, { requireAll: true })).toEqual(['1 tests were skipped, and HEARTH_TEST_REQUIRE=all'])
  })

  it('takes a run without a report or without a test for a failure', () => {
    expect(failuresOf(summarize(undefined, path), { requireAll: false })).toEqual(['vitest ended without a report'])
    expect(failuresOf(summarize(report({}), path), { requireAll: false })).toEqual(['no test ran'])
  })
})
