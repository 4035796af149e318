package org.powerattention.annotations;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class FeatureMapTest {
  static Stream<Arguments> allMaps() {
    return IntStream.rangeClosed(1, 4)
        .boxed()
        .flatMap(
            degree ->
                IntStream.rangeClosed(1, 8).mapToObj(step -> Arguments.of(degree, 16 * step)));
  }

  @ParameterizedTest
  @CsvSource({
    "16,  16,  192,   1280,     5280",
    "32,  32,  640,   7680,    62016",
    "64,  64, 2304,  52224,   837760",
    "128, 128, 8704, 382976, 12263680",
  })
  void sizeIsThatOfTheTiledSymmetricPower(int headDim, int p1, int p2, int p3, int p4) {
    assertThat(
            IntStream.rangeClosed(1, 4)
                .mapToObj(degree -> FeatureMap.of(degree, headDim).size())
                .toList())
        .containsExactly(p1, p2, p3, p4)
        .inOrder();
  }

  @ParameterizedTest
  @CsvSource({"1, 48, 48", "2, 48, 8", "3, 48, 4", "4, 48, 2", "1, 128, 128", "4, 128, 2"})
  void tileSizeFollowsFromTheDegree(int degree, int headDim, int tile) {
    FeatureMap map = FeatureMap.of(degree, headDim);
    assertThat(map.tile()).isEqualTo(tile);
    assertThat(map.featuresPerTuple()).isEqualTo((int) Math.pow(tile, degree));
    assertThat(map.tileTuples() * map.featuresPerTuple()).isEqualTo(map.size());
    assertThat(map.degree()).isEqualTo(degree);
    assertThat(map.headDim()).isEqualTo(headDim);
  }

  @ParameterizedTest
  @MethodSource("allMaps")
  void weightedInnerProductOfFeaturesIsThePowerOfTheInnerProduct(int degree, int headDim) {
    FeatureMap map = FeatureMap.of(degree, headDim);
    Random random = new Random(31L * degree + headDim);
    double[] q = random.doubles(headDim, -1, 1).toArray();
    double[] k = random.doubles(headDim, -1, 1).toArray();
    double[] products = IntStream.range(0, headDim).mapToDouble(i -> q[i] * k[i]).toArray();

    double sum = 0;
    double magnitude = 0;
    long features = 0;
    for (int tuple = 0; tuple < map.tileTuples(); tuple++) {
      int[] index = map.multiIndex(tuple);
      double[] featureProducts = featureProducts(products, map.tile(), index);
      features += featureProducts.length;
      for (double product : featureProducts) {
        sum += FeatureMap.multiplicity(index) * product;
        magnitude += FeatureMap.multiplicity(index) * Math.abs(product);
      }
    }

    assertThat(features).isEqualTo(map.size());
    double expected = Math.pow(Arrays.stream(products).sum(), degree);
    assertThat(sum).isWithin(1e-12 * magnitude).of(expected);
  }

  /** phi(q)_f phi(k)_f of a tuple's features f, in their order: the last index fastest. */
  private static double[] featureProducts(double[] products, int tile, int[] index) {
    double[] features = {1};
    for (int tileIndex : index) {
      double[] next = new double[features.length * tile];
      for (int f = 0; f < next.length; f++) {
        next[f] = features[f / tile] * products[tileIndex * tile + f % tile];
      }
      features = next;
    }
    return features;
  }

  @ParameterizedTest
  @MethodSource("allMaps")
  void advanceWalksTheTuplesThatMultiIndexNames(int degree, int headDim) {
    FeatureMap map = FeatureMap.of(degree, headDim);
    int[] walker = new int[degree];
    int[] previous = null;
    for (int tuple = 0; tuple < map.tileTuples(); tuple++) {
      int[] index = map.multiIndex(tuple);
      if (!Arrays.equals(walker, index)) { // asserting each of millions would take seconds
        assertWithMessage("tuple %s", tuple).that(walker).isEqualTo(index);
      }
      if (previous != null && Arrays.compare(previous, index) >= 0) {
        assertWithMessage("%s before %s", Arrays.toString(previous), Arrays.toString(index)).fail();
      }
      previous = index;
      if (map.advance(walker) != tuple < map.tileTuples() - 1) {
        assertWithMessage("advance beyond tuple %s", tuple).fail();
      }
    }
    int[] last = new int[degree];
    Arrays.fill(last, headDim / map.tile() - 1);
    assertThat(walker).isEqualTo(last);
  }

  @ParameterizedTest
  @CsvSource({"1, 64", "2, 64", "3, 32", "4, 16"})
  void multiplicityCountsTheOrderingsOfATuple(int degree, int headDim) {
    FeatureMap map = FeatureMap.of(degree, headDim);
    int tiles = headDim / map.tile();
    Map<List<Integer>, Integer> orderings = new TreeMap<>(FeatureMapTest::compare);
    for (int code = 0; code < Math.pow(tiles, degree); code++) {
      List<Integer> tuple = new ArrayList<>();
      for (int rest = code, position = 0; position < degree; position++, rest /= tiles) {
        tuple.add(rest % tiles);
      }
      orderings.merge(tuple.stream().sorted().toList(), 1, Integer::sum);
    }

    Map<List<Integer>, Integer> actual = new TreeMap<>(FeatureMapTest::compare);
    for (int tuple = 0; tuple < map.tileTuples(); tuple++) {
      int[] index = map.multiIndex(tuple);
      actual.put(Arrays.stream(index).boxed().toList(), FeatureMap.multiplicity(index));
    }
    assertThat(actual).isEqualTo(orderings);
  }

  private static int compare(List<Integer> a, List<Integer> b) {
    return Arrays.compare(a.toArray(Integer[]::new), b.toArray(Integer[]::new));
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 36, 37, Integer.MAX_VALUE, Integer.MIN_VALUE})
  void tupleOutsideOfTheOrderIsRefused(int tuple) {
    FeatureMap map = FeatureMap.of(2, 64);
    IndexOutOfBoundsException e =
        assertThrows(IndexOutOfBoundsException.class, () -> map.multiIndex(tuple));
    assertThat(e).hasMessageThat().isEqualTo("tuple " + tuple + " of 36");
  }

  @Test
  void degreeAndHeadDimAreCheckedAsInKernelSpec() {
    IllegalArgumentException degree =
        assertThrows(IllegalArgumentException.class, () -> FeatureMap.of(5, 64));
    assertThat(degree).hasMessageThat().isEqualTo("degree = 5; allowed: 1 to 4");
    IllegalArgumentException headDim =
        assertThrows(IllegalArgumentException.class, () -> FeatureMap.of(2, 65));
    assertThat(headDim)
        .hasMessageThat()
        .isEqualTo("headDim = 65; allowed: multiples of 16 from 16 to 128");
  }
}
