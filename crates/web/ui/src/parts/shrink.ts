// A photograph as it is sent from the foot of a pole: a telephone's own file takes minutes there, and the service keeps
// no more of it than this.

/** Smaller files go as they are, in bytes. */
const SMALL = 600_000
/** Longest side, in pixels. */
const SIDE = 1920

/** The file, or a smaller JPEG of it, turned the right way up; the file itself if this browser cannot do that. */
export async function shrunk(file: Blob): Promise<Blob> {
  if (file.size <= SMALL) return file
  try {
    const picture = await createImageBitmap(file)
    const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height))
    const canvas = document.createElement('canvas')
    canvas.width = Math.round(picture.width * scale)
    canvas.height = Math.round(picture.height * scale)
    canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height)
    picture.close()
    const smaller = await new Promise<Blob | null>((made) => canvas.toBlob(made, 'image/jpeg', 0.85))
    return smaller && smaller.size < file.size ? smaller : file
  } catch {
    return file
  }
}
