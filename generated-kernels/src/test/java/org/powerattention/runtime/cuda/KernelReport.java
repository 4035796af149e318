package org.powerattention.runtime.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;

/**
 * What the assembler says of one kernel of a compiled source.
 *
 * @param kernel the kernel's name
 * @param registers registers of a thread
 * @param spillStores bytes that a thread writes to memory for want of registers
 */
record KernelReport(String kernel, int registers, int spillStores) {
  private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)'");
  private static final Pattern SPILLS = Pattern.compile("(\\d+) bytes spill stores");
  private static final Pattern REGISTERS = Pattern.compile("Used (\\d+) registers");

  /**
   * Compiles a source as the runtime does and returns the assembler's report on each kernel.
   *
   * @throws AssertionError with the compiler's log if it rejects the source, or does asynchronous
   *     products one by one
   */
  static List<KernelReport> compile(String source, String name, String architecture) {
    Nvrtc.get();
    List<String> options = new ArrayList<>(new Target(architecture, true).options());
    options.add("--ptxas-options=-v");
    nvrtcProgram program = new nvrtcProgram();
    JNvrtc.nvrtcCreateProgram(program, source, name, 0, null, null);
    try {
      int result =
          JNvrtc.nvrtcCompileProgram(program, options.size(), options.toArray(String[]::new));
      String[] log = new String[1];
      JNvrtc.nvrtcGetProgramLog(program, log);
      if (result != nvrtcResult.NVRTC_SUCCESS) {
        throw new AssertionError(
            name + " for " + architecture + ": " + nvrtcResult.stringFor(result) + "\n" + log[0]);
      }
      // ptxas says so where it cannot keep the operands of several under way.
      if (log[0].contains("instructions are serialized")) {
        throw new AssertionError(name + " for " + architecture + "\n" + log[0]);
      }
      return parse(log[0]);
    } finally {
      JNvrtc.nvrtcDestroyProgram(program);
    }
  }

  private static List<KernelReport> parse(String log) {
    List<KernelReport> reports = new ArrayList<>();
    String kernel = "";
    int spills = 0;
    for (String line : log.lines().toList()) {
      Matcher entry = ENTRY.matcher(line);
      Matcher spilled = SPILLS.matcher(line);
      Matcher registers = REGISTERS.matcher(line);
      if (entry.find()) {
        kernel = entry.group(1);
      } else if (spilled.find()) {
        spills = Integer.parseInt(spilled.group(1));
      } else if (registers.find()) {
        reports.add(new KernelReport(kernel, Integer.parseInt(registers.group(1)), spills));
      }
    }
    return reports;
  }
}
