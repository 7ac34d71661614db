import { randomInt } from 'node:crypto'

/**
 * An address of this machine that nobody else uses, with all its ports (Linux): for programs that have to be told a port,
 * where one of 127.0.0.1 that is free now may be taken by the time that they bind it.
 */
export const ownAddress = () => `127.${randomInt(64, 255)}.${randomInt(256)}.${randomInt(1, 255)}`
