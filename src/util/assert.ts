// Assertions for programmer errors only; a guest's or a user's mistake is answered with an errno or a message.

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
