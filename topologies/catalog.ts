/** The shop's products by id, as `product.catalog` last described them. */
import { keepProduct } from '../processors/index.ts'
import { type ProductCatalog, productCatalogSchema, stateSerde, topics } from '../schemas/index.ts'
import { keyValueStore } from '../state/index.ts'
import { processor, shape, topology } from '../streams/index.ts'

/** Products by productId. */
export const productStore = keyValueStore<ProductCatalog>({
  name: 'products',
  value: stateSerde(productCatalogSchema),
  version: productCatalogSchema.version,
})

const products = processor({
  name: 'product-keeper',
  input: shape<string, ProductCatalog | null>(),
  stores: { products: productStore },
  process: keepProduct,
})

export const catalog = topology('catalog', (t) => {
  t.stream(topics.productCatalog, { onNullKey: 'dead-letter', onNullValue: 'pass' }).process(products)
})
