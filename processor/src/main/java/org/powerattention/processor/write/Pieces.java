package org.powerattention.processor.write;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Joins CUDA files into one text: a quoted include is replaced by its file, once each, and
 * conditionals are resolved. Other preprocessor lines are left to the CUDA compiler.
 */
final class Pieces {
  private static final Pattern DIRECTIVE =
      Pattern.compile("\\s*#\\s*(if|ifdef|ifndef|elif|else|endif|include|pragma)\\b(.*)");
  private static final Pattern QUOTED = Pattern.compile("\\s*\"([^\"]*)\"\\s*");
  private static final Pattern COMMENT = Pattern.compile("//.*|/\\*.*?\\*/");

  private final String root;
  private final Map<String, Integer> symbols;
  private final Map<String, String> generated;
  private final Set<String> included = new HashSet<>();
  private final StringBuilder text = new StringBuilder();

  /**
   * Creates a joiner.
   *
   * @param root absolute name of the resource folder that holds the files, ending in a slash
   * @param symbols what conditionals may test
   * @param generated texts that take the place of files, by file name
   */
  Pieces(String root, Map<String, Integer> symbols, Map<String, String> generated) {
    this.root = root;
    this.symbols = Map.copyOf(symbols);
    this.generated = Map.copyOf(generated);
  }

  /**
   * Returns a file with all that it includes.
   *
   * @throws IllegalStateException if a file is missing or a conditional cannot be resolved; the
   *     message names the file and line
   */
  String join(String file) {
    @Nullable String content = load(file);
    if (content == null) {
      throw new IllegalStateException(root + file + " is missing");
    }
    append(file, content);
    return text.toString();
  }

  private void append(String file, String content) {
    included.add(file);
    text.append('\n');
    Conditionals conditionals = new Conditionals(symbols);
    int line = 0;
    for (String code : content.lines().toList()) {
      line++;
      try {
        appendLine(code, conditionals);
      } catch (IllegalArgumentException e) {
        throw new IllegalStateException(file + ":" + line + ": " + e.getMessage(), e);
      }
    }
    if (conditionals.isOpen()) {
      throw new IllegalStateException(file + ":" + line + ": #if without #endif");
    }
    text.append('\n');
  }

  private void appendLine(String code, Conditionals conditionals) {
    Matcher directive = DIRECTIVE.matcher(code);
    if (!directive.matches()) {
      appendText(code, conditionals);
      return;
    }
    String rest = COMMENT.matcher(directive.group(2)).replaceAll(" ").strip();
    switch (directive.group(1)) {
      case "if" -> conditionals.enter(rest);
      case "elif" -> conditionals.otherwiseIf(rest);
      case "else" -> conditionals.otherwise();
      case "endif" -> conditionals.leave();
      case "include" -> {
        Matcher quoted = QUOTED.matcher(rest);
        if (!quoted.matches()) {
          appendText(code, conditionals);
        } else if (conditionals.isSelected()) {
          include(quoted.group(1));
        }
      }
      case "pragma" -> {
        if (!rest.equals("once")) {
          appendText(code, conditionals);
        }
      }
      default ->
          throw new IllegalArgumentException(
              "#" + directive.group(1) + " is not resolved; use #if with a symbol of the plan");
    }
  }

  private void appendText(String code, Conditionals conditionals) {
    if (conditionals.isSelected()) {
      text.append(code.stripTrailing()).append('\n');
    }
  }

  private void include(String file) {
    if (included.contains(file)) {
      return;
    }
    @Nullable String content = load(file);
    if (content == null) {
      throw new IllegalArgumentException("included file " + root + file + " is missing");
    }
    append(file, content);
  }

  private @Nullable String load(String file) {
    @Nullable String text = generated.get(file);
    if (text != null) {
      return text;
    }
    try (InputStream stream = Pieces.class.getResourceAsStream(root + file)) {
      return stream == null ? null : new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + root + file, e);
    }
  }
}
