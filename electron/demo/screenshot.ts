/** A picture of the whole window. Electron gives one of each page; they are laid over one of the frame. */
import { type BrowserWindow, type NativeImage, nativeImage, type Rectangle } from 'electron'
import type { DemoWindow } from './window'

const BYTES_PER_PIXEL = 4

export async function pictureOf(window: DemoWindow): Promise<Buffer> {
  const { frame, tabs } = window
  await painted(frame)
  const whole = await frame.webContents.capturePage()
  const { width, height } = whole.getSize()
  const scale = width / frame.getContentBounds().width
  const canvas = { pixels: Buffer.from(whole.toBitmap()), width }
  for (const tab of tabs) {
    const area = window.areaOf(tab)
    if (area) paste(canvas, await tab.view.webContents.capturePage(), area, scale)
  }
  return nativeImage.createFromBitmap(canvas.pixels, { width, height }).toPNG()
}

/** Resolves once the frame shows what it was last told. */
async function painted(frame: BrowserWindow): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  await frame.webContents.executeJavaScript(
    'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())))',
  )
}

function paste(
  canvas: { pixels: Buffer; width: number },
  image: NativeImage,
  { x, y }: Rectangle,
  scale: number,
): void {
  const pixels = image.toBitmap()
  const { width, height } = image.getSize()
  const rowBytes = width * BYTES_PER_PIXEL
  for (let row = 0; row < height; row++) {
    const target = (Math.round(y * scale + row) * canvas.width + Math.round(x * scale)) * BYTES_PER_PIXEL
    pixels.copy(canvas.pixels, target, row * rowBytes, (row + 1) * rowBytes)
  }
}
