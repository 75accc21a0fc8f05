/** A stream of server-sent events as it comes. */
export class EventReader {
  readonly response: Response
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  text = ''

  private constructor(response: Response) {
    this.response = response
    this.#reader = (response.body as ReadableStream<Uint8Array>).getReader()
  }

  static async open(url: string, lastId?: string): Promise<EventReader> {
    return new EventReader(
      await fetch(url, { headers: lastId === undefined ? {} : { 'last-event-id': lastId } }),
    )
  }

  /** Until the text is there; without one, to the end. */
  async until(text?: string): Promise<string> {
    while (text === undefined || !this.text.includes(text)) {
      const { done, value } = await this.#reader.read()
      if (done) break
      this.text += Buffer.from(value).toString()
    }
    return this.text
  }

  /** Of the events so far. */
  get data(): readonly Readonly<Record<string, unknown>>[] {
    return [...this.text.matchAll(/^data: (.*)$/gm)].map(
      ([, data]) => JSON.parse(data ?? '') as Record<string, unknown>,
    )
  }

  cancel(): Promise<void> {
    return this.#reader.cancel()
  }
}
