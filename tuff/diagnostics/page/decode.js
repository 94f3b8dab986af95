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

/** Rows of the task stream: arrays by event, in order of time. */
function unpackLanes(trace) {
  const packed = new Unpacker(trace.events);
  const severalClients = trace.lanes.some(([client]) => client > 0);
  return trace.lanes.map(([client, thread, count]) => {
    const lane = {
      label: severalClients ? `${client + 1}/${thread}` : String(thread),
      name: severalClients ? `client ${client + 1}, thread ${thread}` : `thread ${thread}`,
      count,
      start: new Float64Array(count),
      end: new Float64Array(count),
      task: new Uint32Array(count),
      kind: new Uint32Array(count),
    };
    let time = 0;
    let task = 0;
    for (let i = 0; i < count; ++i) {
      lane.start[i] = time += packed.signed();
      lane.end[i] = time += packed.number();
      lane.task[i] = task += packed.signed();
      lane.kind[i] = packed.number();
    }
    return lane;
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

/** What was seen of the process; `cpu` is how many processors were in use since the sample before. */
function unpackSamples(trace) {
  const packed = new Unpacker(trace.samples);
  const samples = {time: [], resident: [], live: [], cpu: []};
  let [time, resident, live] = [0, 0, 0];
  for (let i = 0; i < trace.sampleCount; ++i) {
    const passed = packed.signed();
    samples.time.push(time += passed);
    samples.resident.push(resident += packed.signed());
    samples.live.push(live += packed.signed());
    const used = packed.signed();
    samples.cpu.push(i > 0 && passed > 0 ? used / passed : 0);
  }
  return samples;
}
