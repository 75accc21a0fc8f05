/** What users are told, as the API needs it. The rules of `ports.ts` hold. Nothing of it is asked where that is off. */
import type { UserNews } from '../schemas/index.ts'
import type { WaitOptions } from './asking.ts'

export interface NewsPort {
  /**
   * What is kept of the user's news, oldest first; after a place only what follows it, or all where its numbers are no
   * longer those of now. A read as rule 2 has it.
   */
  userNews(userId: string, after: NewsPlace | undefined): Promise<readonly UserNewsView[]>
  /** Waits until `userNews` after this place has something; otherwise as `orderUntil`. A read as rule 2 has it. */
  userNewsUntil(userId: string, after: NewsPlace | undefined, wait: WaitOptions): Promise<void>
}

export interface NewsPlace {
  /** Which numbers: when they began, epoch milliseconds. */
  readonly begun: number
  /** 1, 2, 3 … */
  readonly sequence: number
}

export interface UserNewsView {
  readonly place: NewsPlace
  readonly news: UserNews
}
