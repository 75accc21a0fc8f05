/** What profiles are written with. Published as `millrace/bindings`. */
export {
  type Binding,
  defineBinding,
  defineProfile,
  type Expression,
  type ExternalTopic,
  type Item,
  type Message,
  type Profile,
  type Write,
} from './profile.ts'
