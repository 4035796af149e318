package org.powerattention.processor.write;

import java.util.regex.Pattern;

/**
 * Text of one Javadoc comment, filled to a width as google-java-format fills it: line breaks within
 * a paragraph, list item or tag mean nothing, those of preformatted text are kept.
 */
final class Javadoc {
  private static final Pattern SPACE = Pattern.compile("\\s+");

  private final int width;
  private final StringBuilder text = new StringBuilder();

  /** The words of the paragraph, item or tag being read, and how its lines are indented. */
  private final StringBuilder words = new StringBuilder();

  private String indent = "";
  private String continuation = "";

  private Javadoc(int width) {
    this.width = width;
  }

  /** Returns a text, given without margin, in lines of up to {@code width} characters. */
  static String fill(String text, int width) {
    Javadoc javadoc = new Javadoc(width);
    boolean preformatted = false;
    for (String line : text.lines().toList()) {
      String tag = line.strip();
      preformatted |= tag.startsWith("<pre>");
      if (preformatted) {
        javadoc.verbatim(line);
        preformatted = !tag.endsWith("</pre>");
      } else if (tag.isEmpty() || tag.equals("<ul>") || tag.equals("</ul>")) {
        javadoc.verbatim(line);
      } else {
        javadoc.words(tag);
      }
    }
    javadoc.flush();
    return javadoc.text.toString();
  }

  private void verbatim(String line) {
    flush();
    text.append(line).append('\n');
  }

  private void words(String line) {
    boolean item = line.startsWith("<li>");
    if (item || line.startsWith("@")) {
      flush();
      indent = item ? "  " : "";
      continuation = item ? "      " : "    ";
    }
    words.append(line).append(' ');
  }

  private void flush() {
    StringBuilder line = new StringBuilder();
    for (String word : SPACE.split(words.toString().strip())) {
      if (line.isEmpty()) {
        line.append(indent);
      } else if (line.length() + 1 + word.length() <= width) {
        line.append(' ');
      } else {
        text.append(line).append('\n');
        line = new StringBuilder(continuation);
      }
      line.append(word);
    }
    if (!words.isEmpty()) {
      text.append(line).append('\n');
    }
    words.setLength(0);
    indent = "";
    continuation = "";
  }
}
