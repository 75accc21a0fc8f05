/** Pure helpers for processors. The one part of the engine whose values `processors/` may import. */
export { pastCauseOf } from './past-cause.ts'
export {
  type DoKind,
  doKind,
  noEpochs,
  stands,
  type StepEpochs,
  type UndoKind,
  undoKind,
} from './receiver.ts'
export { advance, dueAtOf, type SagaMove } from './saga/advance.ts'
export { backoffMs } from './saga/backoff.ts'
export type { IgnoredWhy, SagaNotice } from './saga/draft.ts'
export {
  currentStep,
  isEnded,
  sagaActionsOf,
  type SagaCause,
  type SagaPart,
  type SagaPhase,
  type SagaProgress,
  type SagaStep,
} from './saga/progress.ts'
export { runSaga, type SagaContext, type SagaRun } from './saga/run-saga.ts'
export {
  again,
  type AnswerInput,
  done,
  type Patience,
  type Reading,
  refused,
  type RetryPolicy,
  saga,
  type Saga,
  type SagaAction,
  sagaActions,
  type SagaInput,
  type Sending,
  type Step,
  type Steps,
  type UndoneInput,
  type Undoing,
} from './saga/saga.ts'
