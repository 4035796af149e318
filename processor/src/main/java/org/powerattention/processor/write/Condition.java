package org.powerattention.processor.write;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The expression of an {@code #if} line: integers and symbols under {@code || && == != < <= > >= !}
 * and parentheses, with C's precedence.
 */
final class Condition {
  private static final Pattern TOKEN =
      Pattern.compile("\\s*(\\|\\||&&|==|!=|<=|>=|[<>!()]|\\d+|[A-Za-z_]\\w*)\\s*");

  private final String text;
  private final Map<String, Integer> symbols;
  private final Matcher matcher;
  private String token = "";

  private Condition(String text, Map<String, Integer> symbols) {
    this.text = text;
    this.symbols = symbols;
    this.matcher = TOKEN.matcher(text);
    advance();
  }

  /**
   * Evaluates an expression.
   *
   * @throws IllegalArgumentException if it is not one, or names an unknown symbol
   */
  static boolean holds(String text, Map<String, Integer> symbols) {
    Condition condition = new Condition(text, symbols);
    boolean result = condition.or() != 0;
    if (!condition.token.isEmpty()) {
      throw new IllegalArgumentException("'" + condition.token + "' is left over in: " + text);
    }
    return result;
  }

  private void advance() {
    if (matcher.regionStart() == text.length()) {
      token = "";
    } else if (matcher.lookingAt()) {
      token = matcher.group(1);
      matcher.region(matcher.end(), text.length());
    } else {
      throw new IllegalArgumentException("not an expression: " + text);
    }
  }

  private boolean accept(String expected) {
    boolean found = token.equals(expected);
    if (found) {
      advance();
    }
    return found;
  }

  private int or() {
    int value = and();
    while (accept("||")) {
      int right = and(); // parsed whatever the left side is
      value = value != 0 || right != 0 ? 1 : 0;
    }
    return value;
  }

  private int and() {
    int value = comparison();
    while (accept("&&")) {
      int right = comparison(); // parsed whatever the left side is
      value = value != 0 && right != 0 ? 1 : 0;
    }
    return value;
  }

  private int comparison() {
    int left = unary();
    String operator = token;
    if (!operator.matches("==|!=|<|<=|>|>=")) {
      return left;
    }
    advance();
    int right = unary();
    boolean holds =
        switch (operator) {
          case "==" -> left == right;
          case "!=" -> left != right;
          case "<" -> left < right;
          case "<=" -> left <= right;
          case ">" -> left > right;
          default -> left >= right;
        };
    return holds ? 1 : 0;
  }

  private int unary() {
    if (accept("!")) {
      return unary() == 0 ? 1 : 0;
    }
    if (accept("(")) {
      int value = or();
      if (!accept(")")) {
        throw new IllegalArgumentException("missing ')' in: " + text);
      }
      return value;
    }
    String name = token;
    if (!name.matches("\\w+")) {
      throw new IllegalArgumentException("not an expression: " + text);
    }
    advance();
    if (Character.isDigit(name.charAt(0))) {
      return Integer.parseInt(name);
    }
    Integer value = symbols.get(name);
    if (value == null) {
      throw new IllegalArgumentException("unknown symbol " + name);
    }
    return value;
  }
}
