/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** Path of the key, for example `http.port`; the name as given when there is no such key. */
  readonly key: string
  /** Where the value came from: `--port`, `MILLRACE_PORT`, a file's name, `default`. */
  readonly origin: string
  /** What is wrong and what would be right; never holds a secret. */
  readonly message: string
}

/** Every problem that was found, at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ key, origin, message }) => `${key} (${origin}): ${message}`).join('\n'))
    this.problems = problems
  }
}
