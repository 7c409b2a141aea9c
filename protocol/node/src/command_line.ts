/** The arguments with which a child is started: the app's, and what the client adds. */

/**
 * `args` with `--parent-pid`, and with `--device` if it is given, in place of what they say of it.
 */
export function childArguments(
  args: readonly string[],
  parentPid: number,
  device: string | null,
): string[] {
  const watched = hasOption(args, "--parent-pid")
    ? [...args]
    : [...args, "--parent-pid", String(parentPid)];
  return device === null ? watched : [...withoutDevice(watched), "--device", device];
}

function hasOption(args: readonly string[], name: string): boolean {
  return args.some((word) => word === name || word.startsWith(`${name}=`));
}

function withoutDevice(args: readonly string[]): string[] {
  return args.filter(
    (word, index) =>
      word !== "--gpu" &&
      word !== "--device" &&
      !word.startsWith("--device=") &&
      args[index - 1] !== "--device",
  );
}
