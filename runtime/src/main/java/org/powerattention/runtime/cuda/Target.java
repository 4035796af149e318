package org.powerattention.runtime.cuda;

import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.CompilationException;
import org.powerattention.runtime.KernelImage;
import org.powerattention.runtime.Tiling;

/**
 * What a source is compiled to for a device.
 *
 * @param architecture value of NVRTC's {@code --gpu-architecture}, such as {@code sm_90a}
 * @param binary whether that yields a cubin; if not, PTX, which the driver finishes
 */
record Target(String architecture, boolean binary) {
  /** Least compute capability that any family runs on, 8.0. */
  static final int LEAST_CAPABILITY = 80;

  /** System property that names the newest family to use. */
  static final String FAMILY_PROPERTY = "powerattention.family";

  /** Of those that any source is for; not every part of an operator has sources for it. */
  private static final String NEWEST_FAMILY = "sm_90a";

  /** An image and what it is compiled to. */
  record Choice<T extends Tiling>(KernelImage<T> image, Target target) {}

  /** Returns the options that the compiler is given. */
  List<String> options() {
    return List.of("--gpu-architecture=" + architecture, "--std=c++17");
  }

  /**
   * Returns the images that are used, oldest family first: up to a newest one, if that is named.
   *
   * @param images the sources, oldest family first
   * @param newest the value of {@link #FAMILY_PROPERTY}, or null
   * @throws IllegalArgumentException if no source is for a family of that name
   */
  static <T extends Tiling> List<KernelImage<T>> upTo(
      List<KernelImage<T>> images, @Nullable String newest) {
    if (newest == null || newest.equals(NEWEST_FAMILY)) {
      return images;
    }
    for (int i = 0; i < images.size(); i++) {
      if (images.get(i).family().equals(newest)) {
        return images.subList(0, i + 1);
      }
    }
    throw new IllegalArgumentException(
        FAMILY_PROPERTY
            + " is "
            + newest
            + ", and sources are for "
            + images.stream().map(KernelImage::family).collect(Collectors.joining(", "))
            + ": name one of these, or leave the property out");
  }

  /**
   * Returns the newest family that a device runs, as machine code for just that device.
   *
   * @param images the sources, oldest family first
   * @param capability ten times the device's compute capability, such as 90
   * @return null if there is none
   */
  static <T extends Tiling> @Nullable Choice<T> own(List<KernelImage<T>> images, int capability) {
    for (int i = images.size() - 1; i >= 0; i--) {
      Target target = own(images.get(i).family(), capability);
      if (target != null) {
        return new Choice<>(images.get(i), target);
      }
    }
    return null;
  }

  /** Returns a device's machine code of a family's source; null if the device does not run it. */
  static @Nullable Target own(String family, int capability) {
    boolean runs = isExact(family) ? capability == least(family) : capability >= least(family);
    return runs ? new Target(isExact(family) ? family : "sm_" + capability, true) : null;
  }

  /** Whether it has instructions that no other architecture has, not even newer ones. */
  private static boolean isExact(String family) {
    return family.endsWith("a");
  }

  private static int least(String family) {
    return Integer.parseInt(family.substring(3, family.length() - (isExact(family) ? 1 : 0)));
  }

  /**
   * Chooses the newest family that a device runs and the compiler knows, as machine code for the
   * device if the compiler can make it, else as PTX for the nearest lower architecture.
   *
   * @param images the sources, oldest family first
   * @param capability ten times the device's compute capability, such as 90
   * @param supported the architectures that the compiler reports
   * @throws CompilationException if there is none
   */
  static <T extends Tiling> Choice<T> choose(
      List<KernelImage<T>> images, int capability, List<Integer> supported) {
    Choice<T> own = own(images, capability);
    if (own != null && supported.contains(capability)) {
      return own;
    }
    int nearest = supported.stream().filter(a -> a <= capability).max(Integer::compare).orElse(0);
    for (int i = images.size() - 1; i >= 0; i--) {
      KernelImage<T> image = images.get(i);
      if (!isExact(image.family()) && nearest >= least(image.family())) {
        return new Choice<>(image, new Target("compute_" + nearest, false));
      }
    }
    String families = images.stream().map(KernelImage::family).collect(Collectors.joining(", "));
    throw new CompilationException(
        capability < LEAST_CAPABILITY
            ? "the GPU has compute capability "
                + capability / 10.0
                + "; the kernels need 8.0 (Ampere) or newer: use Accelerator.cpu()"
            : "no target for a GPU of compute capability "
                + capability / 10.0
                + ": sources are for "
                + families
                + ", and this NVRTC compiles for "
                + supported
                + "; use a newer NVRTC",
        "");
  }
}
