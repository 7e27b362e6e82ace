/**
 * Averages all the pixels that fall into one: no colour of a transparent pixel bleeds into its neighbours.
 * @param image `{ width, height, pixels }`, four bytes a pixel: red, green, blue, alpha
 */
export function shrink(image, width) {
  if (width >= image.width) return image
  const height = Math.max(1, Math.round((image.height * width) / image.width))
  const pixels = new Uint8Array(width * height * 4)
  for (let y = 0; y < height; y++) {
    const rows = span(y, height, image.height)
    for (let x = 0; x < width; x++) {
      average(image, { columns: span(x, width, image.width), rows }, pixels.subarray((y * width + x) * 4))
    }
  }
  return { width, height, pixels }
}

/** Which pixels of the large side the pixel `at` of the small side stands for: at least one. */
function span(at, small, large) {
  const start = Math.floor((at * large) / small)
  return { start, end: Math.max(start + 1, Math.floor(((at + 1) * large) / small)) }
}

function average({ width, pixels }, { columns, rows }, target) {
  let [red, green, blue, alpha] = [0, 0, 0, 0]
  for (let y = rows.start; y < rows.end; y++) {
    for (let x = columns.start; x < columns.end; x++) {
      const at = (y * width + x) * 4
      const weight = pixels[at + 3]
      red += pixels[at] * weight
      green += pixels[at + 1] * weight
      blue += pixels[at + 2] * weight
      alpha += weight
    }
  }
  if (alpha === 0) return
  const count = (columns.end - columns.start) * (rows.end - rows.start)
  target[0] = Math.round(red / alpha)
  target[1] = Math.round(green / alpha)
  target[2] = Math.round(blue / alpha)
  target[3] = Math.round(alpha / count)
}
