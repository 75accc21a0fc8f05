/**
 * Asks the registry for known vulnerabilities of the packages that are published with Millrace.
 *
 *   npm run audit:packages
 *
 * Ends with 1 where one of high or critical severity is known. A registry without advisories (many mirrors) is no fault
 * of the packages: that it was not asked is said, and the run ends with 0.
 */
import { spawnSync } from 'node:child_process'

export type Verdict = 'clean' | 'vulnerable' | 'not asked'

interface AuditReport {
  readonly metadata?: { readonly vulnerabilities?: Readonly<Record<string, number>> }
  readonly error?: unknown
}

/** What `npm audit --json` says on stdout. */
export function verdictOf(stdout: string): Verdict {
  let report: AuditReport
  try {
    report = JSON.parse(stdout) as AuditReport
  } catch {
    return 'not asked'
  }
  const counts = report.metadata?.vulnerabilities
  if (counts === undefined) return 'not asked'
  return (counts['high'] ?? 0) + (counts['critical'] ?? 0) > 0 ? 'vulnerable' : 'clean'
}

if (import.meta.main) {
  const { stdout } = spawnSync('npm', ['audit', '--json', '--omit=dev', '--audit-level=high'], {
    encoding: 'utf8',
  })
  const verdict = verdictOf(stdout ?? '')
  if (verdict === 'vulnerable') process.stdout.write(stdout)
  process.stderr.write(`packages: ${verdict}\n`)
  process.exitCode = verdict === 'vulnerable' ? 1 : 0
}
