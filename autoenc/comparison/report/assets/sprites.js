// Many images in one PNG: decoded from base64, and drawn pixel by pixel.

const spriteCache = new Map();

/** The decoded PNG of a sprite, cached. */
function spriteImage(base64) {
  if (!spriteCache.has(base64)) {
    const image = new Image();
    // Not `decode()`: the page's own load event waits for these, so that the first images are drawn when it comes.
    const loaded = new Promise((resolve, reject) => {
      image.addEventListener("load", () => resolve(image));
      image.addEventListener("error", () => reject(new Error("an image cannot be read")));
    });
    image.src = `data:image/png;base64,${base64}`;
    spriteCache.set(base64, loaded);
  }
  return spriteCache.get(base64);
}

/** The pixels of a sprite, as `ImageData`. */
async function spritePixels(base64) {
  const image = await spriteImage(base64);
  const canvas = element("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** A canvas of `width` x `height` pixels that a style makes larger without blurring. */
function imageCanvas({ width, height, scale, label }) {
  const canvas = element("canvas", { width, height, class: "image", role: "img", "aria-label": label });
  canvas.style.setProperty("width", `${width * scale}px`);
  canvas.style.setProperty("height", `${height * scale}px`);
  return canvas;
}

// Errors as colours: one hue from light to dark, which also works in grey print.
const ERROR_STOPS = [[255, 250, 245], [253, 202, 169], [246, 121, 85], [200, 36, 43], [92, 3, 18]];

/** A fraction of the largest error, 0 to 1, as red, green and blue. */
function errorColor(share) {
  const place = Math.max(0, Math.min(1, share)) * (ERROR_STOPS.length - 1);
  const stop = Math.min(ERROR_STOPS.length - 2, Math.floor(place));
  return ERROR_STOPS[stop].map((value, channel) => value + (place - stop) * (ERROR_STOPS[stop + 1][channel] - value));
}
