/** What a `PrivacyPort` throws. */
import { ApiError } from './errors.ts'

export function personalDataOff(): ApiError {
  return new ApiError('PERSONAL_DATA_OFF', 'No master key is configured: privacy.masterKeys.')
}

export function masterKeyMissing(masterKeyId: string): ApiError {
  return new ApiError('MASTER_KEY_MISSING', `Its id is ${masterKeyId}: privacy.masterKeys.`)
}
