/** How this client names itself to brokers, which show it in their metrics. */
export const SOFTWARE = { name: 'millrace', version: '1' } as const
