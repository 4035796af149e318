package org.powerattention.examples.quickstart;

import static com.google.common.truth.Truth.assertThat;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DocumentTest {
  @TempDir Path directory;

  @Test
  void wordsAreRunsOfLettersAndDigitsInLowerCase() {
    assertThat(Document.words("Tensor y = f(x2); // Ärger, naïve"))
        .containsExactly("tensor", "y", "f", "x2", "ärger", "naïve")
        .inOrder();
  }

  @Test
  void pairsFollowEachOtherWithoutOverlapAndARepeatedOneCountsOnce() {
    Document document = Document.of("text", "a b  c d  a b  e f  g");

    assertThat(document.pairs()).containsExactly("a b", "c d", "e f").inOrder();
    assertThat(document.associations()).isEqualTo(2);
  }

  @Test
  void emptyTextHasNoAssociations() {
    assertThat(Document.of("text", "").associations()).isEqualTo(0);
  }

  @Test
  void aDirectoryIsReadInPathOrderWithoutBuildOutput() throws IOException {
    write("b.md", "three four");
    write("a/A.java", "one two");
    write("a/picture.png", "no text");
    write("target/c.md", "generated text");

    assertThat(Document.read(directory).pairs()).containsExactly("one two", "three four").inOrder();
  }

  @Test
  void aFileIsReadWhateverItsName() throws IOException {
    write("book", "one two three four");

    Document document = Document.read(directory.resolve("book"));

    assertThat(document.name()).isEqualTo("book");
    assertThat(document.pairs()).containsExactly("one two", "three four").inOrder();
  }

  @Test
  void bytesThatAreNotUtf8SeparateWords() throws IOException {
    Files.write(directory.resolve("latin1.txt"), "caf\u00e9s two".getBytes(ISO_8859_1));

    assertThat(Document.read(directory).pairs()).containsExactly("caf s");
  }

  @Test
  void aDirectoryWithoutTextIsRefused() {
    assertThrows(NoSuchFileException.class, () -> Document.read(directory));
  }

  private void write(String name, String text) throws IOException {
    Path file = directory.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
