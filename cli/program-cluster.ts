/** The commands about Kafka and a schema registry, and their flags. */
import { type Command, Option } from 'commander'
import type { UpFlags } from './commands/up.ts'
import type { Context } from './context.ts'
import type { SchemasFlags, TopicsFlags } from './flags.ts'
import { json, whole, withFile, withKafka } from './program-options.ts'

export function addTopics(program: Command, context: Context): void {
  const topics = program.command('topics').description('The topics of all topologies on a Kafka cluster.')
  const add = (name: string, description: string): Command =>
    json(withKafka(withFile(topics.command(name).description(description))), 'print the result as JSON')
  add('plan', 'Compare; exit code 3 unless all are as configured.').action(async (flags: TopicsFlags) => {
    const { planTopics } = await import('./commands/topics.ts')
    await planTopics(context, flags)
  })
  add('apply', 'Make what is missing and set retention; never deletes anything.').action(
    async (flags: TopicsFlags) => {
      const { applyTopics } = await import('./commands/topics.ts')
      await applyTopics(context, flags)
    },
  )
}

export function addSchemas(program: Command, context: Context): void {
  const schemas = program.command('schemas').description('The schemas of all topics in a schema registry.')
  const add = (name: string, description: string): Command =>
    json(withFile(schemas.command(name).description(description)), 'print the result as JSON').option(
      '--registry <url>',
      "root of the registry's Confluent API",
    )
  add('check', 'Compare; exit code 3 unless all are registered.').action(async (flags: SchemasFlags) => {
    const { checkSchemas } = await import('./commands/schemas.ts')
    await checkSchemas(context, flags)
  })
  add('register', 'Register what is not, and keep each compatible with all of its versions.').action(
    async (flags: SchemasFlags) => {
      const { registerSchemas } = await import('./commands/schemas.ts')
      await registerSchemas(context, flags)
    },
  )
}

export function addUp(program: Command, context: Context): void {
  const brokers = new Option('--brokers <number>', 'how many, each a process')
    .choices(['1', '3'])
    .default('1')
  const command = program
    .command('up')
    .description(
      'Run Kafka and a schema registry on this machine until SIGINT or SIGTERM; needs Java and Maven.',
    )
    .option('--data-dir <directory>', 'where records and schemas are kept', '.millrace-kafka')
    .addOption(brokers)
    .option('--kafka-version <version>', 'like 3.9.1; fetched once')
    .option('--no-registry', 'without a schema registry')
    .option(
      '--port <number>',
      'of the first broker, others follow; else 9092 if free; 0 takes a free one',
      port,
    )
    .option('--registry-port <number>', 'of the registry; else 8081 if free; 0 takes a free one', port)
  json(command, 'print where they listen as a line of JSON').action(async (flags: UpFlags) => {
    const { up } = await import('./commands/up.ts')
    await up(context, flags)
  })
}

function port(text: string): number {
  return whole(0, 65_535)(text)
}
