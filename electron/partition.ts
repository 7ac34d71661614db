import { createHash } from 'node:crypto'
import { invalidArgument } from './errors'

export const DEFAULT_PARTITION_PREFIX = 'persist:tabport-'

/** 96 bits: no two keys of one app collide, and the partition's folder on disk keeps a short name. */
const DIGITS = 24

/**
 * A partition name for any key (a workspace id, a path, a URL): the prefix and 24 hex digits of the key's SHA-256.
 *
 * @throws {@link TabportError} `ERR_TABPORT_INVALID_ARGUMENT`: the key is not a string, or empty.
 */
export function partitionFor(key: string, prefix: string = DEFAULT_PARTITION_PREFIX): string {
  if (typeof key !== 'string' || key === '') throw invalidArgument('key must be a string that is not empty')
  return prefix + createHash('sha256').update(key).digest('hex').slice(0, DIGITS)
}
