// terminal.js: a program on a terminal of its own, by Python's pty: what it writes there, and keys pressed.
'use strict';
const fs = require('node:fs');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { atEnd } = require('./weir');

const PTY = `
import fcntl, os, pty, select, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
sources = [master, 0]
while master in sources:
    for fd in select.select(sources, [], [])[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            sources.remove(fd)
        elif fd == master:
            os.write(1, data)
        else:
            os.write(master, data)
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
`;

class Terminal {
  constructor(t, file, args, { env = process.env, cwd } = {}) {
    this.text = '';
    this.child = spawn('python3', ['-c', PTY, file, ...args], { env, cwd, stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdin.on('error', () => {});
    this.changed = () => {};
    this.child.stdout.on('data', (d) => {
      this.text += d.toString('latin1'); // one char a byte: what reaches the terminal is what is asked about
      this.changed();
    });
    this.ended = once(this.child, 'close').then(([code]) => code);
    atEnd(t, () => {
      this.child.kill('SIGKILL');
      return this.ended;
    });
  }

  press(keys) {
    this.child.stdin.write(keys);
  }

  // Of the program, not of the terminal.
  pid() {
    return Number(fs.readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/children`, 'utf8').trim().split(' ')[0]);
  }

  // Waits for what the pattern says, and gives its match.
  async see(pattern, timeout = 20000) {
    const until = Date.now() + timeout;
    for (;;) {
      const match = pattern.exec(this.text);
      if (match) return match;
      if (Date.now() > until || this.child.exitCode !== null) throw new Error(`${pattern} not seen in ${JSON.stringify(this.text)}`);
      await Promise.race([new Promise((r) => { this.changed = r; }), this.ended, new Promise((r) => setTimeout(r, 500))]);
    }
  }
}

module.exports = { Terminal };
