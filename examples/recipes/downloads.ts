// Downloads are the session's: they take its route.
import path from 'node:path'
import type { Session } from 'electron'

export function saveDownloads(session: Session, folder: string, saved: (file: string) => void): void {
  session.on('will-download', (_event, item) => {
    const file = path.join(folder, path.basename(item.getFilename()))
    item.setSavePath(file)
    item.once('done', (_done, state) => saved(state === 'completed' ? file : state))
  })
}
