package org.powerattention.annotations;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.common.primitives.Ints;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class FeatureMapTest {
  @ParameterizedTest
  @CsvSource({
    "16, 16, 192, 1280, 5280",
    "32, 32, 640, 7680, 62016",
    "64, 64, 2304, 52224, 837760",
    "128, 128, 8704, 382976, 12263680"
  })
  void numberOfFeaturesIsThatOfTheDesign(int headDim, int p1, int p2, int p3, int p4) {
    int[] expected = {p1, p2, p3, p4};
    for (int degree = 1; degree <= 4; degree++) {
      assertWithMessage("degree %s", degree)
          .that(FeatureMap.of(degree, headDim).size())
          .isEqualTo(expected[degree - 1]);
    }
  }

  @ParameterizedTest
  @CsvSource({"2, 8", "3, 4", "4, 2"})
  void tileShrinksAsTheDegreeGrows(int degree, int tile) {
    assertThat(FeatureMap.of(degree, 64).tile()).isEqualTo(tile);
    assertThat(FeatureMap.of(degree, 16).tile()).isEqualTo(tile);
  }

  @Test
  void degreeOneIsOneTileOfTheWholeHead() {
    FeatureMap map = FeatureMap.of(1, 80);
    assertThat(map.tile()).isEqualTo(80);
    assertThat(map.tileTuples()).isEqualTo(1);
  }

  /** Every degree with the head sizes whose features are few enough to be summed one by one. */
  static Stream<FeatureMap> smallMaps() {
    return Stream.of(16, 32, 48, 64, 80, 96, 112, 128)
        .flatMap(d -> Stream.of(1, 2, 3, 4).map(p -> FeatureMap.of(p, d)))
        .filter(map -> map.size() <= 1_000_000);
  }

  @ParameterizedTest
  @MethodSource("smallMaps")
  void weightedInnerProductOfFeaturesIsThePowerOfTheInnerProduct(FeatureMap map) {
    Random random = new Random(7);
    double[] q = random.doubles(map.headDim(), -1, 1).toArray();
    double[] k = random.doubles(map.headDim(), -1, 1).toArray();
    double inner = 0;
    double magnitude = 0; // sum of |q_i k_i|, which bounds what cancels
    for (int i = 0; i < q.length; i++) {
      inner += q[i] * k[i];
      magnitude += Math.abs(q[i] * k[i]);
    }
    double tolerance = 1e-12 * Math.pow(magnitude, map.degree());
    assertThat(featureProduct(map, q, k)).isWithin(tolerance).of(Math.pow(inner, map.degree()));
  }

  /** Sums over the features in the order that the class documents. */
  private static double featureProduct(FeatureMap map, double[] q, double[] k) {
    int[] tuple = map.multiIndex(0);
    double sum = 0;
    int features = 0;
    do {
      double ofTuple = 0;
      for (int feature = 0; feature < map.featuresPerTuple(); feature++) {
        double product = 1;
        int rest = feature; // the last index is the fastest
        for (int position = map.degree() - 1; position >= 0; position--) {
          int number = tuple[position] * map.tile() + rest % map.tile();
          product *= q[number] * k[number];
          rest /= map.tile();
        }
        ofTuple += product;
        features++;
      }
      sum += FeatureMap.multiplicity(tuple) * ofTuple;
    } while (map.advance(tuple));
    assertThat(features).isEqualTo(map.size());
    return sum;
  }

  @ParameterizedTest
  @MethodSource("smallMaps")
  void advanceVisitsEveryNonDecreasingTupleOnceInLexicographicOrder(FeatureMap map) {
    int[] tuple = map.multiIndex(0);
    assertThat(tuple).isEqualTo(new int[map.degree()]);
    int position = 0;
    int[] before;
    do {
      assertThat(tuple).isEqualTo(map.multiIndex(position));
      assertThat(Ints.asList(tuple)).isInOrder();
      assertThat(tuple[map.degree() - 1]).isLessThan(map.headDim() / map.tile());
      before = tuple.clone();
      position++;
    } while (map.advance(tuple) && isAfter(tuple, before));
    assertThat(position).isEqualTo(map.tileTuples());
    assertThat(tuple).isEqualTo(before); // the last one stays
  }

  private static boolean isAfter(int[] tuple, int[] before) {
    assertThat(Arrays.compare(tuple, before)).isGreaterThan(0);
    return true;
  }

  @Test
  void multiIndexOfTheLargestMapMatchesItsPosition() {
    FeatureMap map = FeatureMap.of(4, 128);
    int last = map.tileTuples() - 1;
    assertThat(map.multiIndex(0)).isEqualTo(new int[] {0, 0, 0, 0});
    assertThat(map.multiIndex(63)).isEqualTo(new int[] {0, 0, 0, 63});
    assertThat(map.multiIndex(64)).isEqualTo(new int[] {0, 0, 1, 1});
    assertThat(map.multiIndex(last - 1)).isEqualTo(new int[] {62, 63, 63, 63});
    assertThat(map.multiIndex(last)).isEqualTo(new int[] {63, 63, 63, 63});
  }

  @Test
  void multiIndexOutsideOfTheTuplesIsRejected() {
    FeatureMap map = FeatureMap.of(2, 16);
    assertThat(map.tileTuples()).isEqualTo(3);
    assertThrows(IndexOutOfBoundsException.class, () -> map.multiIndex(-1));
    IndexOutOfBoundsException e =
        assertThrows(IndexOutOfBoundsException.class, () -> map.multiIndex(3));
    assertThat(e).hasMessageThat().isEqualTo("tuple 3 of 3");
  }

  @Test
  void multiplicityCountsTheOrderingsOfATuple() {
    for (int degree = 1; degree <= 4; degree++) {
      List<int[]> all = allTuples(degree, 4);
      for (int[] tuple : all) {
        int[] sorted = tuple.clone();
        Arrays.sort(sorted);
        if (Arrays.equals(sorted, tuple)) {
          long orderings = all.stream().filter(other -> isOrderingOf(tuple, other)).count();
          assertWithMessage(Arrays.toString(tuple))
              .that(FeatureMap.multiplicity(tuple))
              .isEqualTo(orderings);
        }
      }
    }
  }

  private static List<int[]> allTuples(int degree, int tiles) {
    List<int[]> tuples = new ArrayList<>();
    for (int code = 0; code < Math.pow(tiles, degree); code++) {
      int[] tuple = new int[degree];
      for (int i = 0, rest = code; i < degree; i++, rest /= tiles) {
        tuple[i] = rest % tiles;
      }
      tuples.add(tuple);
    }
    return tuples;
  }

  private static boolean isOrderingOf(int[] sorted, int[] tuple) {
    int[] copy = tuple.clone();
    Arrays.sort(copy);
    return Arrays.equals(copy, sorted);
  }

  @ParameterizedTest
  @CsvSource({"0, 64", "5, 64", "-1, 64", "2, 0", "2, 8", "2, 24", "2, 144", "2, -16"})
  void impossibleMapsAreRejected(int degree, int headDim) {
    assertThrows(IllegalArgumentException.class, () -> FeatureMap.of(degree, headDim));
  }
}
