// --- Unpacking the trace (the format is described in encode.h) ----------------------------------------

class Unpacker {
  constructor(base64) {
    const text = atob(base64);
    this.bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; ++i) this.bytes[i] = text.charCodeAt(i);
    this.at = 0;
  }

  number() {
    let byte = this.bytes[this.at++];
    let result = byte & 0x7f;
    // Multiplication, not shifts: exact to 2^53.
    for (let unit = 128; byte & 0x80; unit *= 128) {
      byte = this.bytes[this.at++];
      result += (byte & 0x7f) * unit;
    }
    return result;
  }

  signed() {
    const number = this.number();
    return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
  }
}

/** Codes of records: waits by cause come first, then crowds, then tasks by kind. */
const CROWD = 5;
const FIRST_KIND = 6;

/** What crowds consist of, as one list per property: there may be a million parts. */
const newParts = () => ({code: [], count: [], busy: [], failed: [], bytesIn: [], bytesOut: []});

/** Appends one part. */
function unpackPart(packed, parts) {
  const code = packed.number();
  parts.code.push(code);
  parts.count.push(packed.number());
  parts.busy.push(packed.number());
  parts.failed.push(code < CROWD ? 0 : packed.number());
  parts.bytesIn.push(code < CROWD ? 0 : packed.number());
  parts.bytesOut.push(code < CROWD ? 0 : packed.number());
}

/** Rows of the task stream: arrays by record, in order of time. `what` is the task's number, or the index of
 *  a crowd's first part, of which it has `size`. */
function unpackLanes(trace) {
  const packed = new Unpacker(trace.records);
  const severalClients = trace.lanes.some(([client]) => client > 0);
  return trace.lanes.map(([client, thread, count]) => {
    const lane = {
      label: severalClients ? `${client + 1}/${thread}` : String(thread),
      name: severalClients ? `client ${client + 1}, thread ${thread}` : `thread ${thread}`,
      count,
      start: new Float64Array(count),
      end: new Float64Array(count),
      code: new Uint32Array(count),
      what: new Uint32Array(count),
      size: new Uint32Array(count),
      parts: newParts(),
    };
    let time = 0;
    let task = 0;
    for (let i = 0; i < count; ++i) {
      lane.start[i] = time += packed.signed();
      lane.end[i] = time += packed.number();
      const code = lane.code[i] = packed.number();
      if (code === CROWD) {
        lane.what[i] = lane.parts.code.length;
        lane.size[i] = packed.number();
        for (let p = 0; p < lane.size[i]; ++p) unpackPart(packed, lane.parts);
      } else if (code > CROWD) {
        lane.what[i] = task += packed.signed();
      }
    }
    return lane;
  });
}

/** Blocks that went to disk or came back, by lane and in order of time; neighbours may have been added up. */
function unpackSpills(trace) {
  const packed = new Unpacker(trace.spills);
  let time = 0;
  return Array.from({length: trace.spillCount}, () => {
    const start = time += packed.signed();
    const end = time += packed.number();
    const place = packed.number();
    return {start, end, lane: place >> 1, readBack: place % 2 === 1, count: packed.number(), bytes: packed.number()};
  });
}

function unpackKinds(trace) {
  const packed = new Unpacker(trace.kinds);
  const kinds = {operation: [], bytesIn: [], bytesOut: [], failed: []};
  for (let i = 0; i < trace.kindCount; ++i) {
    for (const part of Object.values(kinds)) part.push(packed.number());
  }
  return kinds;
}

/** What was seen of the process; `cpu` is how many processors were in use. */
function unpackSamples(trace) {
  const packed = new Unpacker(trace.samples);
  const samples = {time: [], resident: [], live: [], cpu: []};
  let [time, resident, live] = [0, 0, 0];
  for (let i = 0; i < trace.sampleCount; ++i) {
    samples.time.push(time += packed.signed());
    samples.resident.push(resident += packed.signed());
    samples.live.push(live += packed.signed());
    samples.cpu.push(packed.number() / 1000);
  }
  return samples;
}
