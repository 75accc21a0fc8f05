import { checkSubjects, registerSubjects, subjectsOf, type SubjectReport } from '../../connectors/index.ts'
import { topics } from '../../schemas/index.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { CheckError } from '../errors.ts'
import type { SchemasFlags } from '../flags.ts'
import { table } from '../output.ts'
import { registryClient } from '../registry.ts'

/** Compares the schemas of all topics with the registry; throws a `CheckError` unless all are registered. */
export function checkSchemas(context: Context, flags: SchemasFlags): Promise<void> {
  return report(context, flags, checkSubjects)
}

/** Registers the schemas of all topics; throws a `CheckError` if one was refused. */
export function registerSchemas(context: Context, flags: SchemasFlags): Promise<void> {
  return report(context, flags, registerSubjects)
}

async function report(context: Context, flags: SchemasFlags, ask: typeof checkSubjects): Promise<void> {
  const client = registryClient(configure(context, flags).config)
  try {
    const reports = await ask(client, subjectsOf(Object.values(topics)))
    context.output.data(flags.json === true ? JSON.stringify(reports, null, 2) : asTable(reports))
    const problems = problemsOf(reports)
    if (problems.length > 0) throw new CheckError(problems.join('; '))
  } finally {
    await client.close()
  }
}

function asTable(reports: readonly SubjectReport[]): string {
  const rows = reports.map(({ subject, id, level, state }) => [subject, id ?? '-', level ?? '-', state])
  return table(['subject', 'id', 'level', 'schema'], rows)
}

function problemsOf(reports: readonly SubjectReport[]): readonly string[] {
  const lacking = reports.filter(({ state }) => state === 'missing' || state === 'compatible')
  const refused = reports.filter(({ state }) => state === 'incompatible' || state === 'rejected')
  const names = lacking.map(({ subject }) => subject).join(', ')
  return [
    ...(lacking.length > 0 ? [`not registered: ${names}; run: millrace schemas register`] : []),
    ...refused.map(
      ({ subject, state, reason }) => `${subject} is ${state}${reason === '' ? '' : ` (${reason})`}`,
    ),
  ]
}
