// The picture that was dropped last, shown above what was found: the collector keeps none of it.
const MOST_PX = 256;

let picture = { artifactId: null, bitmap: null };

export async function rememberPicture(artifactId, file) {
  try {
    picture = { artifactId, bitmap: await createImageBitmap(file, { resizeWidth: MOST_PX, resizeQuality: "medium" }) };
  } catch {
    picture = { artifactId: null, bitmap: null }; // a format that the collector reads and this browser does not
  }
}

export const pictureOf = (artifactId) => (artifactId && picture.artifactId === artifactId ? picture.bitmap : null);
