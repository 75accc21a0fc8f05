/** Carts by user, as `cart.changed` last told them. */
import { keepCart } from '../processors/index.ts'
import { type CartChanged, cartChangedSchema, stateSerde, topics } from '../schemas/index.ts'
import { keyValueStore } from '../state/index.ts'
import { processor, shape, topology } from '../streams/index.ts'

/** Carts by userId; none that is empty. */
export const cartStore = keyValueStore<CartChanged>({
  name: 'carts',
  value: stateSerde(cartChangedSchema),
  version: cartChangedSchema.version,
})

const keeper = processor({
  name: 'cart-keeper',
  input: shape<string, CartChanged>(),
  stores: { carts: cartStore },
  process: keepCart,
})

export const carts = topology('carts', (t) => {
  t.stream(topics.cartChanged, { onNullKey: 'dead-letter', onNullValue: 'dead-letter' }).process(keeper)
})
