// A meter over a journal in memory, which can fail and be in doubt.

import { Auditor, InDoubt, Meter, RawMeter } from "../js/index.js";

class MemoryJournal {
  entries = [];
  next = "works";
  doubtful = [];

  append(entry) {
    const how = this.next;
    if (how === "works") this.entries.push(entry);
    else if (how === "fails") throw new Error("the disk is full");
    else if (how === "doubt") {
      this.doubtful = [entry];
      throw new InDoubt("the connection broke");
    } else throw new Error(`a journal does not \`${how}\``);
  }
}

export class Host {
  journal = new MemoryJournal();

  constructor(saltKey) {
    this.meter = new Meter({ saltKey, journal: this.journal });
  }

  static async open(saltKey, entries) {
    const host = new Host(saltKey);
    host.journal.entries = [...entries];
    host.meter = await Meter.open({ saltKey, journal: host.journal, entries });
    return host;
  }

  /** The meter, whose journal does what the step says. */
  with(given) {
    this.journal.next = given.maybe("journal") ?? "works";
    return this.meter;
  }

  recover(written) {
    if (written) this.journal.entries.push(...this.journal.doubtful);
    this.journal.doubtful = [];
    this.meter.recover(this.journal.entries.length);
  }

  /** Audits these entries, with the signatures that a key makes over the journal's own. */
  audit(key, entries) {
    const signatures = new Map();
    const slot = ({ checkpoint, slot }) => `${checkpoint} ${slot}`;
    const signer = new RawMeter(new Uint8Array(32));
    for (const entry of this.journal.entries) {
      const request = signer.replay(entry);
      if (request) signatures.set(slot(request), Buffer.from(key.sign(request.digest).slice(2), "hex"));
    }
    const auditor = new Auditor();
    for (const entry of entries) {
      const expected = auditor.next(entry);
      expected?.check(signatures.get(slot(expected)));
    }
    return auditor;
  }
}
