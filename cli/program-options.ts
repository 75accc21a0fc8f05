/** Options that several commands share, and what they take. */
import { type Command, InvalidArgumentError } from 'commander'

export function withDataDir(command: Command): Command {
  return withFile(command).option('--data-dir <directory>', 'where log and state are kept')
}

export function withFile(command: Command): Command {
  return command
    .option('--config <file>', 'configuration file, JSON')
    .option('--set <key=value>', 'any key of the configuration; may be repeated', collect, [])
}

export function withKafka(command: Command): Command {
  return command.option('--kafka <brokers>', 'Kafka mode: brokers to begin with, host:port,host:port')
}

export function json(command: Command, what: string): Command {
  return command.option('--json', what)
}

export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
  }
}

export function positive(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a number above 0.')
}
