package org.powerattention.processor.write;

import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Lays out JavaPoet's text the way google-java-format does where the two differ, so that generated
 * code reads like the code around it, and whoever formats it finds nothing to change.
 */
final class JavaLayout {
  private static final int COLUMNS = 100;
  private static final Pattern COMMENT =
      Pattern.compile("(?m)^( *)/\\*\\*\n((?: *\\*(?: .*)?\n)*?) *\\*/$");
  private static final Pattern COMMENT_MARGIN = Pattern.compile("(?m)^ *\\* ?");
  private static final Pattern WRAPPED_PARAMETERS =
      Pattern.compile("(?m)^( *)(\\w[\\w ]*\\()([^()=]*\n[^()=]*)(\\) \\{)$");
  private static final Pattern TRAILING_SPACE = Pattern.compile("(?m) +$");

  private JavaLayout() {}

  static String of(String source) {
    String text = replace(COMMENT, source, JavaLayout::comment);
    text = replace(WRAPPED_PARAMETERS, text, JavaLayout::parameters);
    return TRAILING_SPACE.matcher(text).replaceAll("");
  }

  /** A comment is filled to the margin, and takes one line where it fits. */
  private static String comment(Matcher found) {
    String indent = found.group(1);
    String margin = indent + " * ";
    String text = COMMENT_MARGIN.matcher(found.group(2)).replaceAll("");
    String filled = Javadoc.fill(text, COLUMNS - margin.length());
    String line = indent + "/** " + filled.stripTrailing() + " */";
    if (!line.contains("\n") && line.length() <= COLUMNS) {
      return line;
    }
    return filled
        .lines()
        .map(words -> (margin + words).stripTrailing() + "\n")
        .collect(Collectors.joining("", indent + "/**\n", indent + " */"));
  }

  /** Parameters that do not fit beside their method take a line of their own, or one each. */
  private static String parameters(Matcher found) {
    String indent = found.group(1) + "    ";
    String joined = found.group(3).strip().replaceAll("\\s*\n\\s*", " ");
    String line = indent + joined + found.group(4);
    if (line.length() > COLUMNS) {
      line = indent + joined.replace(", ", ",\n" + indent) + found.group(4);
    }
    return found.group(1) + found.group(2) + "\n" + line;
  }

  private static String replace(
      Pattern pattern, String text, Function<Matcher, String> replacement) {
    Matcher matcher = pattern.matcher(text);
    StringBuilder result = new StringBuilder();
    while (matcher.find()) {
      matcher.appendReplacement(result, Matcher.quoteReplacement(replacement.apply(matcher)));
    }
    return matcher.appendTail(result).toString();
  }
}
