/** What is wrong with a profile, and why a message does not fit. */

export interface ProfileProblem {
  /** Where in the profile, e.g. `bindings.coupon-issue.writes.0.fields.userId`. */
  readonly path: string
  readonly message: string
}

/** Every problem that was found in one profile, at once. */
export class ProfileError extends Error {
  override readonly name = 'ProfileError'
  readonly file: string
  readonly problems: readonly ProfileProblem[]

  constructor(file: string, problems: readonly ProfileProblem[], options?: ErrorOptions) {
    super(problems.map(({ path, message }) => `${file}: ${path}: ${message}`).join('\n'), options)
    this.file = file
    this.problems = problems
  }
}

/** A message does not fit; it goes to the dead letters. The reason names fields, never contents. */
export class Misfit extends Error {
  override readonly name = 'Misfit'
}
