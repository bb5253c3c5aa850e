// The clock of the animation: sessions per second, whatever the speed of the machine.

const PER_SECOND = { slow: 0.7, normal: 2.5, fast: 9 };
let running = null;

/** Play from a position (sessions, with a fraction) to the end, ``last()``, which may move; ``tick`` gets the position, ``done`` whether it was the end. */
export function run(from, last, speed, tick, done) {
  stop();
  let position = from, before = null;
  const frame = (now) => {
    // Less than a session at a time, so that none is passed over where a frame comes late.
    if (before !== null) position += Math.min(((now - before) / 1000) * PER_SECOND[speed()], 0.9);
    before = now;
    if (position >= last()) {
      running = null;
      tick(last());
      done(true);
      return;
    }
    running = requestAnimationFrame(frame);  // before the tick, which may stop it
    tick(position);
  };
  running = requestAnimationFrame(frame);
}

/** Stop; returns whether it was running. */
export function stop() {
  const was = running !== null;
  if (was) cancelAnimationFrame(running);
  running = null;
  return was;
}
