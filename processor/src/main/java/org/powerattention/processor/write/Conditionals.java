package org.powerattention.processor.write;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The conditionals that are open at a line of a file. */
final class Conditionals {
  private final Map<String, Integer> symbols;
  private final Deque<Group> open = new ArrayDeque<>();

  Conditionals(Map<String, Integer> symbols) {
    this.symbols = symbols;
  }

  /**
   * One {@code #if} up to its {@code #endif}.
   *
   * @param outer whether the text around it is selected
   * @param taken whether this branch or an earlier one has been selected
   * @param selected whether this branch is
   * @param last whether this is the {@code #else} branch
   */
  private record Group(boolean outer, boolean taken, boolean selected, boolean last) {}

  boolean isOpen() {
    return !open.isEmpty();
  }

  boolean isSelected() {
    @Nullable Group group = open.peek();
    return group == null || group.outer() && group.selected();
  }

  // Every expression is evaluated, also those on branches not taken, so that none rots unseen.

  void enter(String expression) {
    boolean holds = Condition.holds(expression, symbols);
    open.push(new Group(isSelected(), holds, holds, false));
  }

  void otherwiseIf(String expression) {
    Group group = innermost("#elif");
    boolean selected = Condition.holds(expression, symbols) && !group.taken();
    open.push(new Group(group.outer(), group.taken() || selected, selected, false));
  }

  void otherwise() {
    Group group = innermost("#else");
    open.push(new Group(group.outer(), true, !group.taken(), true));
  }

  void leave() {
    if (open.isEmpty()) {
      throw new IllegalArgumentException("#endif without #if");
    }
    open.pop();
  }

  private Group innermost(String directive) {
    @Nullable Group group = open.poll();
    if (group == null) {
      throw new IllegalArgumentException(directive + " without #if");
    }
    if (group.last()) {
      throw new IllegalArgumentException(directive + " after #else");
    }
    return group;
  }
}
