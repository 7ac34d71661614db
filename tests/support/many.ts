/** Does a job many times, some of them at once; the first failure ends it. */
export async function many(times: number, atOnce: number, job: (number: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < times) {
      const number = next
      next += 1
      await job(number)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, times) }, worker))
}
