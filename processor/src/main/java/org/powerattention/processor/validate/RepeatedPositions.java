package org.powerattention.processor.validate;

import com.sun.source.tree.AnnotationTree;
import com.sun.source.tree.AssignmentTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.ExpressionTree;
import com.sun.source.tree.ModifiersTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.TreePath;
import com.sun.source.util.Trees;
import java.util.List;
import java.util.Optional;
import javax.annotation.processing.ProcessingEnvironment;
import javax.lang.model.element.Element;
import javax.lang.model.element.TypeElement;
import javax.tools.Diagnostic;
import org.powerattention.annotations.PowerAttention;
import org.powerattention.processor.read.Declaration;

/**
 * Reports at one of several declarations on a type. The compiler gathers those in a container that
 * is written nowhere, and its own {@code Messager} then knows the type's position only. The trees
 * have the positions, but not every environment has the trees.
 */
final class RepeatedPositions {
  private final Trees trees;

  private RepeatedPositions(Trees trees) {
    this.trees = trees;
  }

  /** Returns the positions of an environment, or empty if it does not have javac's trees. */
  static Optional<RepeatedPositions> of(ProcessingEnvironment environment) {
    try {
      return Optional.of(new RepeatedPositions(Trees.instance(environment)));
    } catch (IllegalArgumentException | LinkageError e) {
      return Optional.empty(); // a wrapped environment, or another compiler
    }
  }

  /**
   * Reports an error at a value of a declaration, or at the declaration if the value is not
   * written.
   *
   * @return whether the place was found; otherwise nothing was reported
   */
  boolean report(String message, Declaration declaration, String valueName) {
    TreePath path = trees.getPath(declaration.anchor().type());
    if (path == null || !(path.getLeaf() instanceof ClassTree type)) {
      return false;
    }
    ModifiersTree modifiers = type.getModifiers();
    List<? extends AnnotationTree> declarations =
        modifiers.getAnnotations().stream()
            .filter(annotation -> isDeclaration(new TreePath(path, modifiers), annotation))
            .toList();
    if (declarations.size() != declaration.count()) {
      return false;
    }
    Tree place = place(declarations.get(declaration.position() - 1), valueName);
    trees.printMessage(Diagnostic.Kind.ERROR, message, place, path.getCompilationUnit());
    return true;
  }

  private boolean isDeclaration(TreePath modifiers, AnnotationTree annotation) {
    TreePath path = new TreePath(modifiers, annotation);
    Element type = trees.getElement(new TreePath(path, annotation.getAnnotationType()));
    return type instanceof TypeElement element
        && element.getQualifiedName().contentEquals(PowerAttention.class.getCanonicalName());
  }

  private static Tree place(AnnotationTree annotation, String valueName) {
    for (ExpressionTree argument : annotation.getArguments()) {
      if (argument instanceof AssignmentTree assignment
          && assignment.getVariable().toString().equals(valueName)) {
        return assignment.getExpression();
      }
    }
    return annotation;
  }
}
