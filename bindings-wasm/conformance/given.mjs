// A step's input, read strictly.

/** Replaces every `@name.member` by that member of what an earlier step gave. */
export function resolve(value, outs) {
  if (typeof value === "string" && value.startsWith("@")) {
    const [name, ...members] = value.slice(1).split(".");
    if (!outs.has(name)) throw new Error(`no step is named \`${name}\``);
    const found = members.reduce((object, member) => object?.[member], outs.get(name));
    if (found === undefined) throw new Error(`${value}: no such member`);
    return found;
  }
  if (Array.isArray(value)) return value.map((item) => resolve(item, outs));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolve(item, outs)]));
}

/** The members of an input. What no arm asked for is refused at the end. */
export class Given {
  #members;
  #objects;
  #asked = new Set();

  constructor(members, objects) {
    this.#members = members;
    this.#objects = objects;
  }

  /** A member, or `undefined` where it is absent or `null`. */
  maybe(name, read = (value) => value) {
    this.#asked.add(name);
    const value = this.#members[name];
    return value === undefined || value === null ? undefined : read(value);
  }

  #required(name, read) {
    if (this.maybe(name) === undefined) throw new Error(`\`${name}\` is missing`);
    return read(this.#members[name]);
  }

  text = (name) => this.#required(name, text);
  integer = (name) => this.#required(name, integer);
  instant = (name) => this.#required(name, instant);
  bytes = (name) => this.#required(name, bytes);
  usage = (name) => this.#required(name, usage);
  list = (name, read = text) => this.#required(name, (items) => items.map(read));
  object = (name, read) => this.#required(name, (value) => nested(value, read));

  flag(name) {
    return this.#required(name, (value) => {
      if (typeof value !== "boolean") throw new Error(`\`${name}\` is no boolean`);
      return value;
    });
  }

  /** The object, or objects, that earlier steps made. */
  handle = (name, kind) => this.#named(this.text(name), kind);
  handles = (name, kind) => this.list(name).map((one) => this.#named(one, kind));

  #named(name, kind) {
    const object = this.#objects.get(name);
    if (!(object instanceof kind)) throw new Error(`\`${name}\` is no ${kind.name}`);
    return object;
  }

  finish() {
    for (const name of Object.keys(this.#members))
      if (!this.#asked.has(name)) throw new Error(`unknown member \`${name}\``);
  }
}

/** Reads an object inside an input, all of it. */
export function nested(value, read) {
  const given = new Given(value);
  const result = read(given);
  given.finish();
  return result;
}

export function text(value) {
  if (typeof value !== "string") throw new Error(`${JSON.stringify(value)} is no text`);
  return value;
}

export function integer(value) {
  if (!/^(0|[1-9][0-9]*)$/.test(text(value))) throw new Error(`\`${value}\` is no integer`);
  return BigInt(value);
}

export const instant = (value) => Number(integer(value));

export function bytes(value) {
  if (!/^0x([0-9a-f]{2})*$/.test(text(value))) throw new Error(`\`${value}\` is no bytes`);
  return Uint8Array.from(Buffer.from(value.slice(2), "hex"));
}

/** The usage of a vector as a program writes it. */
export function usage(value) {
  return nested(value, (given) => ({
    surface: given.maybe("surface", text),
    basis: given.maybe("basis", text),
    meters: Object.fromEntries(
      Object.entries(given.maybe("meters")).map(([meter, quantity]) => [meter, integer(quantity)]),
    ),
    attributes: given.maybe("attributes"),
  }));
}
