/** Waits for a condition, says what was being waited for when it does not come, and gives the milliseconds it took. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<number> {
  const start = Date.now()
  while (!(await holds())) {
    if (Date.now() - start > timeoutMs) throw new Error(`waited for ${what}: not within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return Date.now() - start
}
