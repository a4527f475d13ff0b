// The one exception of the image layer: bytes or names that a user supplied and that cannot be used; says what and where.

/** Bad archive, bad index, unresolvable dependency, escaping path, failed check. The message is one full line for a user. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}
