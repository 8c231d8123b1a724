/** What Counterfoil refuses. `code` is stable and the same in every language. */
export class CounterfoilError extends Error {
  constructor(code, message, place, offending, options) {
    super(message, options);
    this.code = code;
    this.place = place;
    this.offending = offending;
  }
}
CounterfoilError.prototype.name = "CounterfoilError";

/** What a journal throws when it cannot know whether the entry was recorded. */
export class InDoubt extends Error {}
InDoubt.prototype.name = "InDoubt";
