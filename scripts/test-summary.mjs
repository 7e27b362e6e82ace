// Reads vitest's JSON report: how much ran, of which kind, and what was skipped.

const KINDS = [
  { label: 'container tests', pattern: /docker|container/i },
  { label: 'Wasm tests', pattern: /wasm/i },
  { label: 'broker tests', pattern: /\b(?:nats|amqp|mqtt|postgres)\b/i },
  { label: 'end-to-end tests', pattern: /^test\/e2e\// },
  { label: 'contract tests', pattern: /^test\/contract\// },
]

/** How the contract suites name what a driver is not made for: that is no gap of this machine. */
const NOT_APPLICABLE = /^test\/contract\/.*\(not here: .+\)$/

/** @param report vitest's JSON report, or undefined when there is none @param toPath makes a file name relative */
export function summarize(report, toPath) {
  const tests = (report?.testResults ?? []).flatMap((file) =>
    file.assertionResults.map((test) => ({ path: toPath(file.name), name: test.fullName, status: test.status })),
  )
  const count = (status) => tests.filter((test) => test.status === status).length
  // A file that does not load has no tests but fails all the same.
  const brokenFiles = (report?.testResults ?? []).filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const others = tests
    .filter(({ status }) => status !== 'passed' && status !== 'failed')
    .map(({ path, name }) => `${path}: ${name}`)
  return {
    finished: report !== undefined,
    passed: count('passed'),
    failed: count('failed') + brokenFiles.length,
    notApplicable: others.filter((test) => NOT_APPLICABLE.test(test)),
    skipped: others.filter((test) => !NOT_APPLICABLE.test(test)),
    lines: KINDS.map(({ label, pattern }) => {
      const ran = tests.filter(
        (test) => test.status === 'passed' && (pattern.test(test.path) || pattern.test(test.name)),
      )
      return `${label}: ${ran.length} passed`
    }),
  }
}

/** What is wrong with a run beyond its failed tests. */
export function failuresOf(summary, { requireAll }) {
  if (!summary.finished) return ['vitest ended without a report']
  if (summary.passed + summary.failed === 0) return ['no test ran']
  if (requireAll && summary.skipped.length > 0)
    return [`${summary.skipped.length} tests were skipped, and HEARTH_TEST_REQUIRE=all`]
  return []
}
