package org.powerattention.processor.write;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The expression of an {@code #if}: integers, symbols, parentheses, {@code !}, comparisons, {@code
 * &&} and {@code ||}, with the precedence of C.
 */
final class Condition {
  private static final Pattern TOKEN =
      Pattern.compile("\\s*([A-Za-z_]\\w*|\\d+\\b|&&|\\|\\||==|!=|<=|>=|[<>!()])");

  private final String text;
  private final Map<String, Integer> symbols;
  private final Matcher matcher;
  private @Nullable String token;

  private Condition(String text, Map<String, Integer> symbols) {
    this.text = text;
    this.symbols = symbols;
    this.matcher = TOKEN.matcher(text);
    next();
  }

  /**
   * Returns whether an expression is not 0.
   *
   * @throws IllegalArgumentException if it is malformed or has a symbol without a value
   */
  static boolean holds(String expression, Map<String, Integer> symbols) {
    Condition condition = new Condition(expression.strip(), symbols);
    int value = condition.disjunction();
    if (condition.token != null) {
      throw condition.malformed("unexpected " + condition.token);
    }
    return value != 0;
  }

  private int disjunction() {
    int value = conjunction();
    while (accept("||")) {
      int right = conjunction();
      value = flag(value != 0 || right != 0);
    }
    return value;
  }

  private int conjunction() {
    int value = equality();
    while (accept("&&")) {
      int right = equality();
      value = flag(value != 0 && right != 0);
    }
    return value;
  }

  private int equality() {
    int value = relation();
    while (true) {
      if (accept("==")) {
        value = flag(value == relation());
      } else if (accept("!=")) {
        value = flag(value != relation());
      } else {
        return value;
      }
    }
  }

  private int relation() {
    int value = negation();
    while (true) {
      if (accept("<")) {
        value = flag(value < negation());
      } else if (accept("<=")) {
        value = flag(value <= negation());
      } else if (accept(">")) {
        value = flag(value > negation());
      } else if (accept(">=")) {
        value = flag(value >= negation());
      } else {
        return value;
      }
    }
  }

  private int negation() {
    if (accept("!")) {
      return flag(negation() == 0);
    }
    if (accept("(")) {
      int value = disjunction();
      if (!accept(")")) {
        throw malformed("missing )");
      }
      return value;
    }
    String operand = token == null ? "" : token;
    if (operand.isEmpty()
        || !Character.isLetterOrDigit(operand.charAt(0)) && operand.charAt(0) != '_') {
      throw malformed("missing operand");
    }
    next();
    if (Character.isDigit(operand.charAt(0))) {
      return Integer.parseInt(operand);
    }
    @Nullable Integer value = symbols.get(operand);
    if (value == null) {
      throw malformed("unknown symbol " + operand);
    }
    return value;
  }

  private boolean accept(String expected) {
    if (!expected.equals(token)) {
      return false;
    }
    next();
    return true;
  }

  private void next() {
    if (matcher.regionStart() == text.length()) {
      token = null;
    } else if (matcher.lookingAt()) {
      token = matcher.group(1);
      matcher.region(matcher.end(), text.length());
    } else {
      throw malformed("cannot read " + text.substring(matcher.regionStart()).strip());
    }
  }

  private IllegalArgumentException malformed(String reason) {
    return new IllegalArgumentException(reason + " in #if " + text);
  }

  private static int flag(boolean value) {
    return value ? 1 : 0;
  }
}
