package org.powerattention.processor;

import java.util.List;
import java.util.Map;
import org.powerattention.processor.validate.Problem;

/**
 * One mistake for each problem of the catalogue, in Java and in Kotlin. In both texts, what javac
 * reports at is behind a {@code «}; in Kotlin, that is where kapt takes the error: the beginning of
 * the type's declaration.
 *
 * @param problem the problem
 * @param java a source of package {@code p}, whose type is called as the problem's code
 * @param kotlin the same in Kotlin, in a package of the code's name
 * @param message the whole message; in Kotlin, the package differs
 */
record Mistake(Problem problem, String java, String kotlin, String message) {
  private static final String MARK = "«";

  private static final List<Mistake> OF_TYPES =
      List.of(
          value(
              Problem.DEGREE,
              "degree = «5, headDim = 64",
              "degree = 5; allowed: 1, 2, 3 and 4. Use 2, the usual choice; 1 and 3 need"
                  + " normalized = false."),
          value(
              Problem.HEAD_DIM,
              "degree = 2, headDim = «65",
              "headDim = 65; allowed: multiples of 16 from 16 to 128. Use 64 or 80, or change the"
                  + " number of heads that the model's width is divided into."),
          value(
              Problem.CHUNK,
              "degree = 2, headDim = 64, chunk = «1000",
              "chunk = 1000; allowed: multiples of 64 from 64 to 65536. Use 960 or 1024, or leave"
                  + " chunk out and the cost model chooses it."),
          value(
              Problem.ODD_DEGREE_NORMALIZED,
              "degree = 3, headDim = 64, normalized = «true",
              "normalized = true with degree = 3; allowed: true with degrees 2 and 4 only, because"
                  + " weights of an odd degree can be negative and their sum can vanish. Use"
                  + " normalized = false or an even degree."),
          value(
              Problem.STATE_TOO_LARGE,
              "degree = 4, headDim = «96",
              "degree = 4 with headDim = 96 has a state of 1.445 GiB per key/value head; allowed:"
                  + " up to 1.000 GiB. Use degree = 4 with headDim = 80 (0.596 GiB), or degree = 3"
                  + " with headDim = 96 and normalized = false (0.060 GiB), or degree = 2 with"
                  + " headDim = 96 (0.002 GiB)."),
          value(
              Problem.NAME,
              "degree = 2, headDim = 64, name = «\"two words\"",
              "name = \"two words\"; allowed: a Java identifier that is not a keyword. Use a name"
                  + " such as \"twowords\", for a launcher called twowordsLauncher."),
          new Mistake(
              Problem.DUPLICATE_NAME,
              """
              package p;
              import org.powerattention.annotations.*;
              @PowerAttention(degree = 2, headDim = 64, name = "A")
              @PowerAttention(degree = 2, headDim = 32, name = «"A")
              interface PA007 {}
              """,
              """
              package PA007
              import org.powerattention.annotations.*
              «@PowerAttention(degree = 2, headDim = 64, name = "A")
              @PowerAttention(degree = 2, headDim = 32, name = "A")
              interface PA007
              """,
              "declaration 2 of 2: the launcher would be called ALauncher, as that of declaration 1"
                  + " on this type; allowed: a launcher of its own for each declaration. Add a"
                  + " distinct name, such as name = \"PA0072\"."),
          new Mistake(
              Problem.PRIVATE_TYPE,
              """
              package p;
              import org.powerattention.annotations.*;
              class PA008 {
                «@PowerAttention(degree = 2, headDim = 64)
                private interface Layer {}
              }
              """,
              """
              package PA008
              import org.powerattention.annotations.*
              class PA008 {
                «@PowerAttention(degree = 2, headDim = 64)
                private class Layer
              }
              """,
              "p.PA008.Layer is private; allowed: types that their whole package can name, because"
                  + " the launcher is a class of that package. Make it package-private, or annotate"
                  + " another type."),
          new Mistake(
              Problem.LAUNCHER_EXISTS,
              """
              package p;
              import org.powerattention.annotations.*;
              «@PowerAttention(degree = 2, headDim = 64)
              interface PA009 {}
              class PA009Launcher {}
              """,
              """
              package PA009
              import org.powerattention.annotations.*
              «@PowerAttention(degree = 2, headDim = 64)
              interface PA009
              class PA009Launcher
              """,
              "the launcher would be called p.PA009Launcher, which is a type that exists already;"
                  + " allowed: a name that is free in its package. Add a distinct name, such as"
                  + " name = \"PA0092\", or rename one of the two."),
          new Mistake(
              Problem.NOT_WRITTEN,
              """
              package p;
              import org.powerattention.annotations.*;
              «@PowerAttention(degree = 2, headDim = 64, name = "Unwritable")
              interface PA010 {}
              """,
              """
              package PA010
              import org.powerattention.annotations.*
              «@PowerAttention(degree = 2, headDim = 64, name = "Unwritable")
              interface PA010
              """,
              "the launcher p.UnwritableLauncher could not be written: java.io.IOException: disk"
                  + " full. Make the compiler's output directories writable and compile again."),
          new Mistake(
              Problem.INTERNAL,
              """
              package p;
              import org.powerattention.annotations.*;
              @PowerAttention(degree = 2, headDim = 64, name = "Defective")
              «interface PA011 {}
              """,
              """
              package PA011
              import org.powerattention.annotations.*
              «@PowerAttention(degree = 2, headDim = 64, name = "Defective")
              interface PA011
              """,
              "the processor failed on this declaration: java.lang.IllegalStateException: broken."
                  + " This is a defect of power-attention-processor; please report it together with"
                  + " the declaration."));

  /** The mistake of compiling without the runtime. */
  static final Mistake WITHOUT_RUNTIME =
      new Mistake(
          Problem.RUNTIME_MISSING,
          """
          package p;
          import org.powerattention.annotations.*;
          «@PowerAttention(degree = 2, headDim = 64)
          interface PA012 {}
          """,
          """
          package PA012
          import org.powerattention.annotations.*
          «@PowerAttention(degree = 2, headDim = 64)
          interface PA012
          """,
          "org.powerattention.runtime.PowerAttentionOperator cannot be found; allowed: compiling"
              + " with the runtime that launchers call. Add the dependency"
              + " org.powerattention:power-attention-runtime.");

  /** Options of which one does not exist and one has a wrong value. */
  static final Map<String, String> OPTIONS =
      Map.of("powerattention.architecture", "sm_80", "powerattention.architectures", "sm_90");

  /** What is said of them, code first. */
  static final List<String> OF_OPTIONS =
      List.of(
          "[PA013] powerattention.architecture is not an option; allowed:"
              + " powerattention.architectures, powerattention.cudaDirectory,"
              + " powerattention.licenseHeader. Use powerattention.architectures, or leave it out.",
          "[PA014] powerattention.architectures = sm_90; allowed: one or more of sm_80, sm_90a,"
              + " separated by commas. Use sm_90a in place of \"sm_90\".");

  /** Mistakes in declarations, to be compiled with {@link FailingProcessor}. */
  static List<Mistake> ofTypes() {
    return OF_TYPES;
  }

  private static Mistake value(Problem problem, String values, String message) {
    String type = "import org.powerattention.annotations.*%s\n%s@PowerAttention(%s)\ninterface %s";
    String plain = values.replace(MARK, "");
    return new Mistake(
        problem,
        "package p;\n" + type.formatted(";", "", values, problem.code()) + " {}\n",
        "package %s\n".formatted(problem.code())
            + type.formatted("", MARK, plain, problem.code())
            + "\n",
        message);
  }

  String javaText() {
    return java.replace(MARK, "");
  }

  String kotlinText() {
    return kotlin.replace(MARK, "");
  }

  /** Where javac has the error, as in {@code 3:17}, and the message with its code. */
  String inJava() {
    return place(java) + " [" + problem.code() + "] " + message;
  }

  /** Where Eclipse's compiler has it: at the name that a value is given to, or that of the type. */
  String inEclipse() {
    String marked = java.replaceFirst("(\\w+ = )" + MARK, MARK + "$1");
    marked = marked.replaceFirst(MARK + "interface ", "interface " + MARK);
    return place(marked) + " [" + problem.code() + "] " + message;
  }

  /** Where kapt has it. */
  String inKotlin() {
    return place(kotlin)
        + " ["
        + problem.code()
        + "] "
        + message
            .replace(" p.", " " + problem.code() + ".")
            .replaceFirst("^p\\.", problem.code() + ".");
  }

  private static String place(String marked) {
    List<String> lines = marked.substring(0, marked.indexOf(MARK) + 1).lines().toList();
    return lines.size() + ":" + lines.get(lines.size() - 1).length();
  }
}
